import { WebSocket } from 'ws';

// Browsers have one of their own, and Node.js from version 22 on; before that, clients need to be given one.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
