import { WebSocket } from 'ws';

// Browsers have one of their own, and Node.js from version 22 on; before that, clients look for it in vain.
if (!('WebSocket' in globalThis)) Object.assign(globalThis, { WebSocket });
