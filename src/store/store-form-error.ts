/** The store is not of the form that this program works with; the message says the way out. */
export class StoreFormError extends Error {
  override readonly name = 'StoreFormError';
}
