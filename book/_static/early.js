/* Loaded first, in <head>. The theme's FontAwesome would replace the <i> nodes that the Play button
   of ipywidgets keeps a handle on, and Play would stop without a message. */
window.FontAwesomeConfig = { observeMutations: false };
