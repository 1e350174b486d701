import { models } from '../api/models.ts';
import type { Model } from '../api/operations.ts';
import { useValue } from '../api/value.ts';
import { useText } from '../text/language.ts';
import { Choice } from './choice.tsx';
import { CreateStatus } from './create-status.tsx';
import { Estimate } from './estimate.tsx';
import { ImageField } from './image-field.tsx';
import { OptionFields } from './option-fields.tsx';
import { PromptField } from './prompt-field.tsx';
import { useCreateForm } from './use-create-form.ts';
import { usePastedFile } from './use-pasted-file.ts';

/** A new video: a model, one or two images, a prompt, and the options that the model has. */
export function CreateForm() {
  const t = useText();
  const offered = useValue(models);
  const [defaultModel] = offered;
  return (
    <section aria-labelledby="create-title" className="card">
      <h2 id="create-title">{t('create')}</h2>
      {defaultModel ? (
        <Form offered={offered} defaultModel={defaultModel} />
      ) : (
        <p className="hint">{t('loading')}</p>
      )}
    </section>
  );
}

function Form({ defaultModel, offered }: { offered: readonly Model[]; defaultModel: Model }) {
  const t = useText();
  const form = useCreateForm(offered, defaultModel);
  usePastedFile(form.first.choose);
  const { creating, isUploading, limits, model, problemOf } = form;
  const isSending = creating.state === 'sending';
  const titles = new Map(offered.map(({ id, title }) => [id, title]));
  return (
    <form onSubmit={form.submit} onChange={form.reset} noValidate>
      <Choice
        label={t('model')}
        value={model.id}
        values={[...titles.keys()]}
        hasNull={false}
        textOf={(id) => titles.get(id) ?? id}
        onChange={form.setModel}
      />
      <PromptField
        value={form.prompt}
        max={model.promptMaxLength}
        problem={problemOf('prompt')}
        onChange={form.setPrompt}
      />
      <div className="images">
        <ImageField label={t('firstImage')} image={form.first} rules={model.image} limits={limits} />
        {model.lastImage !== 'NONE' && (
          <ImageField
            label={model.lastImage === 'REQUIRED' ? t('lastImage') : t('optional', { name: t('lastImage') })}
            image={form.last}
            rules={model.image}
            limits={limits}
          />
        )}
      </div>
      <OptionFields
        model={model}
        options={form.options}
        problemOf={problemOf}
        onChange={form.changeOptions}
      />
      <p className="row">
        <button type="submit" className="primary" disabled={isUploading || isSending}>
          {isSending ? t('submitting') : t('submit')}
        </button>
        <Estimate input={form.complete} />
      </p>
      <CreateStatus creating={creating} isUploading={isUploading} />
    </form>
  );
}
