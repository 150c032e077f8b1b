/* How sure we may be of a mean over seeds: Student's t and the t-interval, as in the course's
   evaluation/intervals.py. Used by the figures that judge a difference. */
"use strict";
{
  /* The probability that Student's t with `freedom` degrees lies between −t and t. For whole degrees
     it is a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4). */
  function inside(t, freedom) {
    const angle = Math.atan(t / Math.sqrt(freedom));
    const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
    const odd = freedom % 2;
    let [term, sum] = [odd ? cosine : 1, 0];
    for (let k = odd ? 1 : 0; k <= freedom - 2; k += 2) {
      sum += term;
      term *= ((k + 1) / (k + 2)) * cosine ** 2;
    }
    return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  }

  /* How many standard errors the interval reaches to each side. */
  function student(freedom, confidence = 0.95) {
    let [low, high] = [0, 1];
    while (inside(high, freedom) < confidence) high *= 2;
    for (let round = 0; round < 60; round += 1) {
      const middle = (low + high) / 2;
      if (inside(middle, freedom) < confidence) low = middle; else high = middle;
    }
    return high;
  }

  function mean(values) { return values.reduce((a, b) => a + b, 0) / values.length; }

  function deviation(values) {
    const middle = mean(values);
    return Math.sqrt(values.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (values.length - 1));
  }

  /* { mean, low, high } of two values or more. */
  function tInterval(values, confidence = 0.95) {
    const middle = mean(values);
    const half = student(values.length - 1, confidence) * deviation(values) / Math.sqrt(values.length);
    return { mean: middle, low: middle - half, high: middle + half };
  }

  AM.intervals = { student, mean, deviation, tInterval };
}
