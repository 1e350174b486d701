import { useText } from '../text/language.ts';
import { CreateStatus } from './create-status.tsx';
import { ImageField } from './image-field.tsx';
import { PromptField } from './prompt-field.tsx';
import { useCreateForm } from './use-create-form.ts';
import { usePastedFile } from './use-pasted-file.ts';

/** A new video: one or two images and a prompt. */
export function CreateForm() {
  const t = useText();
  const form = useCreateForm();
  usePastedFile(form.first.choose);
  const { creating, isUploading } = form;
  const isSending = creating.state === 'sending';
  return (
    <section aria-labelledby="create-title" className="card">
      <h2 id="create-title">{t('create')}</h2>
      <form onSubmit={form.submit} onChange={form.reset} noValidate>
        <PromptField value={form.prompt} problem={form.promptProblem} onChange={form.setPrompt} />
        <div className="images">
          <ImageField label="firstImage" image={form.first} />
          <ImageField label="lastImage" image={form.last} />
        </div>
        <label className="check">
          <input
            type="checkbox"
            checked={form.optimizer}
            onChange={({ target }) => {
              form.setOptimizer(target.checked);
            }}
          />
          {t('optimizer')}
        </label>
        <button type="submit" className="primary" disabled={isUploading || isSending}>
          {isSending ? t('submitting') : t('submit')}
        </button>
        <CreateStatus creating={creating} isUploading={isUploading} />
      </form>
    </section>
  );
}
