/** Loads a video as a player does, whole and in part, and says what came. Throws when no player could play it. */
export async function playVideo(url: string, signal: AbortSignal): Promise<string> {
  const whole = await fetch(url, { signal });
  if (!whole.ok) throw new Error(`the video answers with status ${whole.status}`);
  const type = whole.headers.get('content-type') ?? 'no content type';
  const bytes = Buffer.from(await whole.arrayBuffer());
  if (!type.startsWith('video/')) throw new Error(`the video is said to be ${type}`);
  // The second box word of every MP4 file.
  if (bytes.toString('latin1', 4, 8) !== 'ftyp') throw new Error('the video is no MP4 file');

  const part = await fetch(url, { headers: { range: 'bytes=0-1023' }, signal });
  await part.arrayBuffer();
  if (part.status !== 206) throw new Error(`a player cannot seek: Range is answered with ${part.status}`);
  const range = part.headers.get('content-range') ?? '';
  return `${type}, ${Math.ceil(bytes.length / 1024)} KiB; Range answers 206, ${range}`;
}
