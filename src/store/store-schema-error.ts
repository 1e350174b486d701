/** The store does not have the schema of this version; the message says the way out. */
export class StoreSchemaError extends Error {
  override readonly name = 'StoreSchemaError';
}
