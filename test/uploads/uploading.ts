import { type ProviderRequest, startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { uploaded } from '../kit/kie.ts';

/** An answer of `/uploads`. */
export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Uploading {
  readonly gateway: Gateway;
  readonly provider: FakeProvider;
  upload(image: Buffer, headers?: Readonly<Record<string, string>>): Promise<Told>;
}

/** A gateway whose provider accepts every image, each under its own URL. */
export async function startUploading(options: GatewayOptions = {}): Promise<Uploading> {
  const provider = options.provider ?? (await startFakeProvider());
  provider.always('upload', async (request) => {
    const { fileName } = await formOf(request);
    return uploaded(`https://files.example/kineograph/${fileName}`);
  });
  const gateway = await startGateway({ ...options, provider });
  return {
    gateway,
    provider,
    async upload(image, headers = {}) {
      const answer = await fetch(`${gateway.url}/uploads`, {
        method: 'POST',
        headers: { 'content-type': 'image/png', ...headers },
        body: new Uint8Array(image),
      });
      return {
        status: answer.status,
        headers: answer.headers,
        body: (await answer.json()) as Told['body'],
      };
    },
  };
}

/** What the provider's upload service was sent, read as it would. */
export async function formOf({ bytes, headers }: ProviderRequest) {
  const type = headers['content-type'] ?? '';
  const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData();
  const file = form.get('file');
  if (!(file instanceof Blob)) throw new Error('the upload has no file');
  return {
    uploadPath: textOf(form, 'uploadPath'),
    fileName: textOf(form, 'fileName'),
    fileType: file.type,
    image: Buffer.from(await file.arrayBuffer()),
  };
}

function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  if (typeof value !== 'string') throw new Error(`the upload has no ${name}`);
  return value;
}
