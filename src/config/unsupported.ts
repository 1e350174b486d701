/** Variables of later versions which it would be dangerous to ignore in silence, and why. */
const reasons = {
  DATABASE_URL: 'tasks would go to SQLite in DATA_DIR all the same',
};

/** One mistake for each variable that is set and not supported yet. */
export function unsupportedVariables(set: Readonly<Record<string, string>>): string[] {
  return Object.entries(reasons)
    .filter(([name]) => set[name] !== undefined)
    .map(([name, reason]) => `${name} is not supported by this version yet (${reason}); unset it`);
}
