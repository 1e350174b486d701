import { describe, expect, it } from 'vitest';
import { NOW, upload } from './records.ts';
import { STORES } from './stores.ts';

describe.each(STORES)('$name', ({ open }) => {
  it('an upload is found by its owner and hash until it expires', async () => {
    const { store } = await open();
    const saved = upload();
    await store.saveUpload('ada', saved);
    expect(await store.findUpload('ada', 'hash-1', NOW + 999)).toEqual(saved);
    expect(await store.findUpload('ada', 'hash-1', NOW + 1000)).toBe(null);
    expect(await store.findUpload('ada', 'hash-2', NOW)).toBe(null);
    expect(await store.findUpload('ben', 'hash-1', NOW)).toBe(null);
  });

  it('an upload is known to everyone by its URL until it expires', async () => {
    const { store } = await open();
    const { url } = upload();
    await store.saveUpload('ada', upload());
    expect(await store.isUploaded(url, NOW + 999)).toBe(true);
    expect(await store.isUploaded(url, NOW + 1000)).toBe(false);
    expect(await store.isUploaded(`${url}?`, NOW)).toBe(false);
  });

  it('an upload replaces an earlier one of the same owner and hash', async () => {
    const { store } = await open();
    const later = upload({ url: 'https://files.example/2.png', expiresAt: NOW + 5000 });
    await store.saveUpload('ada', upload());
    await store.saveUpload('ben', upload({ url: 'https://files.example/bens.png' }));
    await store.saveUpload('ada', later);
    expect(await store.findUpload('ada', 'hash-1', NOW)).toEqual(later);
    expect(await store.findUpload('ben', 'hash-1', NOW)).toMatchObject({
      url: 'https://files.example/bens.png',
    });
  });

  it('uploads survive a restart', async () => {
    const opened = await open();
    await opened.store.saveUpload('ada', upload());
    const { store } = await opened.reopen();
    expect(await store.findUpload('ada', 'hash-1', NOW)).toEqual(upload());
  });

  it('concurrent uploads are all saved', async () => {
    const { store } = await open();
    const owners = Array.from({ length: 50 }, (_, index) => `owner-${index % 10}`);
    await Promise.all(owners.map((owner) => store.saveUpload(owner, upload())));
    for (const owner of owners) expect(await store.findUpload(owner, 'hash-1', NOW)).toEqual(upload());
  });
});
