import type { z } from 'zod';

/** What the sandbox takes from a valid `input`. */
export interface Order {
  readonly prompt: string;
  /** The price of the video. */
  readonly credits: number;
}

/** What the sandbox knows of a model. It is not shared with the gateway, so that a mistake on one side shows on the other. */
export interface SandboxModel {
  readonly name: string;
  /** Its part of task ids, as in `task_hailuo_…`. */
  readonly idPart: string;
  readonly title: string;
  readonly provider: string;
  /** The prices in words, as the catalogue has them. */
  readonly pricing: string;
  /** The checks of `input`. */
  readonly input: z.ZodType<Order>;
}

interface Facts<Input> extends Omit<SandboxModel, 'input'> {
  readonly input: z.ZodType<Input>;
  readonly credits: (input: Input) => number;
}

/** A model from its facts. */
export function define<Input extends { readonly prompt?: string | undefined }>(
  facts: Facts<Input>,
): SandboxModel {
  const { credits, input, ...others } = facts;
  return {
    ...others,
    input: input.transform((given) => ({
      prompt: given.prompt ?? '',
      credits: inThousandths(credits(given)),
    })),
  };
}

/** Credits without the remainder of binary fractions: 3 × 8.2 is 24.6. */
export function inThousandths(credits: number): number {
  return Math.round(credits * 1000) / 1000;
}
