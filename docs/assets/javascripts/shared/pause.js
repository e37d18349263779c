// A pause between two requests that can end early.

export class Pause {
  /** @param {AbortSignal} signal ends every pause */
  constructor(signal) {
    this.signal = signal;
    this.end = () => {};
  }

  /**
   * Resolves after this time, or when `end()` is called.
   * @param {number} milliseconds
   */
  begin(milliseconds) {
    /** @type {Promise<void>} */
    const ended = new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.signal.addEventListener("abort", end);
      this.end = end;
    });
    return ended;
  }
}
