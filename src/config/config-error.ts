/** The environment is wrong. The message is the whole report, ready to be printed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const count = mistakes.length === 1 ? 'is 1 mistake' : `are ${mistakes.length} mistakes`;
    super(`There ${count} in the environment:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}
