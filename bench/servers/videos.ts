/** An HTTP proxy that leads every request to a video: the file that it is given, with other last bytes each time. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { listen } from './shared/listen.ts';

const TAIL_BYTES = 16;
const file = readFileSync(process.argv[2] ?? '');
const head = file.subarray(0, file.length - TAIL_BYTES);
let count = 0;

const server = createServer((_request, response) => {
  count += 1;
  response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': file.length });
  response.write(head);
  response.end(String(count).padStart(TAIL_BYTES, '0'));
});
server.on('connect', (_request, socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  server.emit('connection', socket);
});

listen(server);
