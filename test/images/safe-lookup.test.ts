import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { LookupAddress } from 'node:dns';
import { expect, it } from 'vitest';
import { createSafeLookup } from '../../src/images/safe-fetch.ts';
import { onTestEnd } from '../kit/waits.ts';

const ANSWERS: Readonly<Record<number, Buffer>> = {
  1: Buffer.from([93, 184, 216, 34]),
  28: Buffer.from('26062800022000010248189325c81946', 'hex'),
};

/** A name server that knows every name but those that begin with "no" (RFC 1035, 4). Returns its address. */
async function startNameServer(): Promise<string> {
  const socket = createSocket('udp4');
  onTestEnd(() => void socket.close());
  socket.on('message', (question, { address, port }) => {
    const type = question.readUInt16BE(question.indexOf(0, 12) + 1);
    const data = question.toString('latin1', 13, 15) === 'no' ? undefined : ANSWERS[type];
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(data ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(data ? 1 : 0, 6);
    header.writeUInt16BE(0, 10);
    const asked = question.subarray(12, question.indexOf(0, 12) + 5);
    const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data?.length ?? 0]);
    socket.send(Buffer.concat(data ? [header, asked, record, data] : [header, asked]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

function lookUp(server: string, name: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    createSafeLookup([server])(name, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as unknown as readonly LookupAddress[]);
    });
  });
}

it('a lookup returns the IPv4 and IPv6 addresses of a name', async () => {
  expect(await lookUp(await startNameServer(), 'images.example')).toEqual([
    { address: '93.184.216.34', family: 4 },
    { address: '2606:2800:220:1:248:1893:25c8:1946', family: 6 },
  ]);
});

it('a lookup fails for a name that does not exist', async () => {
  await expect(lookUp(await startNameServer(), 'none.example')).rejects.toThrow('ENOTFOUND');
});
