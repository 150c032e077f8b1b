"""How good is it (`scores`), and how sure may we be (`intervals`)?"""
