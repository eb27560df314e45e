import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Answer } from './answer';

/** Puts an answer on the wire, or as much of it as its fault lets through. */
export function send(response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return;
  const { arrives } = answer;
  if (arrives === 'cut-before-headers') return void response.socket?.destroy();
  if (typeof arrives === 'object') return sendBomb(response, answer, arrives.bombBytes);

  const length = Buffer.byteLength(answer.body);
  response.writeHead(answer.status, { ...answer.headers, 'content-length': length });
  if (arrives === 'whole') return void response.end(answer.body);
  const half = Buffer.from(answer.body).subarray(0, Math.ceil(length / 2));
  // reset only once the first half is out, or nothing of it would arrive
  response.write(half, () => setImmediate(() => response.socket?.destroy()));
}

const MEMBER_BYTES = 1 << 20;
const spaces = gzipSync(Buffer.alloc(MEMBER_BYTES, ' '), { level: 9 });

/** Valid JSON once unpacked, and a thousand times as large as it is on the wire: gzip members of a megabyte of spaces, one after another. */
function sendBomb(response: ServerResponse, answer: Answer, bytes: number): void {
  response.writeHead(answer.status, answer.headers);
  response.write(gzipSync('{"id":"'));
  let left = Math.ceil(bytes / MEMBER_BYTES);
  const more = (): void => {
    for (; left > 0; left--) {
      if (response.destroyed) return;
      if (!response.write(spaces)) {
        left -= 1;
        return void response.once('drain', more);
      }
    }
    response.end(gzipSync('"}'));
  };
  more();
}
