import { describe, expect, test } from 'vitest';
import { createHeaderReader } from '../../src/images/header.ts';
import { ImageError } from '../../src/images/image.ts';
import { modelById, type ModelId } from '../../src/models/index.ts';
import type { ImageIssueCode } from '../../src/tasks/validate-input.ts';
import { claiming, flat, heic, imageBytes, pngOf, type Format } from '../kit/images.ts';

const FORMATS: readonly Format[] = ['jpeg', 'png', 'webp'];

/** Why a model does not take an image; fine when it does. */
function judge(id: ModelId, image: Buffer): ImageIssueCode | 'fine' {
  const reader = createHeaderReader(modelById(id).image);
  try {
    reader.push(image);
    reader.end();
    return 'fine';
  } catch (error) {
    if (error instanceof ImageError) return error.code;
    throw error;
  }
}

describe('a model takes', () => {
  test.each<readonly [ModelId, 'fine' | ImageIssueCode, readonly string[]]>([
    ['HAILUO_02_PRO', 'fine', ['301×301', '400×1000', '1000×400']],
    ['HAILUO_02_PRO', 'IMAGE_TOO_SMALL', ['300×600', '600×300', '1×1']],
    ['HAILUO_02_PRO', 'IMAGE_ASPECT_RATIO', ['400×1001', '1001×400']],
    ['MINIMAX_H3', 'fine', ['256×256', '5760×2304']],
    ['MINIMAX_H3', 'IMAGE_TOO_SMALL', ['255×600', '600×255']],
    ['MINIMAX_H3', 'IMAGE_TOO_MANY_PIXELS', ['5761×3000', '3000×5761']],
    ['MINIMAX_H3', 'IMAGE_ASPECT_RATIO', ['400×1001', '1001×400']],
    ['WAN_2_7', 'fine', ['1×1', '9000×1']],
    ['WAN_2_7', 'IMAGE_TOO_MANY_PIXELS', ['10100×10000']],
  ])('sides: %s, %s: %j', async (id, expected, sizes) => {
    const png = await flat('png');
    for (const size of sizes) {
      const [width = 0, height = 0] = size.split('×').map(Number);
      expect([size, judge(id, claiming(png, width, height))]).toEqual([size, expected]);
    }
  });

  test.each(FORMATS)('sides alike in each type: %s', async (format) => {
    expect(judge('HAILUO_02_PRO', await flat(format, { width: 300, height: 400 }))).toBe('IMAGE_TOO_SMALL');
  });

  test.each<readonly [ModelId, readonly string[]]>([
    ['HAILUO_02_PRO', ['jpeg', 'png', 'webp']],
    ['MINIMAX_H3', ['jpeg', 'png', 'webp', 'heic']],
    ['KLING_2_6', ['jpeg', 'png']],
    ['KLING_3_TURBO', ['jpeg', 'png']],
  ])('types: %s takes %j', async (id, types) => {
    const files: Record<string, Buffer> = { heic: heic() };
    for (const format of FORMATS) files[format] = await imageBytes(format);
    for (const [type, bytes] of Object.entries(files))
      expect([type, judge(id, bytes)]).toEqual([type, types.includes(type) ? 'fine' : 'IMAGE_TYPE']);
  });

  test.each<readonly [ModelId, number]>([
    ['HAILUO_02_PRO', 10],
    ['MINIMAX_H3', 30],
  ])('bytes: %s takes %i MB and no more', async (id, most) => {
    const bytes = most * 1024 * 1024;
    expect(judge(id, await pngOf(bytes))).toBe('fine');
    expect(judge(id, await pngOf(bytes + 1))).toBe('IMAGE_TOO_LARGE');
  });
});
