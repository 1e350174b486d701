// Browsers and Node.js 22 have a WebSocket. Node.js 20 takes that of ws.
if (!('WebSocket' in globalThis)) Object.assign(globalThis, { WebSocket: (await import('ws')).WebSocket });

export {};
