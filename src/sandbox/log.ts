/** Tells whoever runs the sandbox what it could not do. */
export type Log = (message: string, details?: object) => void;
