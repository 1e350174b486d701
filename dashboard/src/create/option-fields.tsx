import type { Model } from '../api/operations.ts';
import { useText } from '../text/language.ts';
import { resolution } from '../text/resolution.ts';
import { Choice } from './choice.tsx';
import { Field } from './field.tsx';
import type { Options } from './options.ts';

interface OptionFieldsProps {
  readonly model: Model;
  readonly options: Options;
  readonly problemOf: (field: keyof Options) => string | null;
  readonly onChange: (changed: Options) => void;
}

/** The options that the model has, except for the last image. */
export function OptionFields(props: OptionFieldsProps) {
  const t = useText();
  const { model, onChange, options } = props;
  return (
    <>
      <Choices {...props} />
      <Texts {...props} />
      {model.promptOptimizer !== 'NONE' && (
        <label className="check">
          <input
            type="checkbox"
            checked={options.promptOptimizer === true}
            onChange={({ target }) => {
              onChange({ promptOptimizer: target.checked });
            }}
          />
          {t('optimizer')}
        </label>
      )}
    </>
  );
}

function Choices({ model, onChange, options, problemOf }: OptionFieldsProps) {
  const t = useText();
  return (
    <div className="options">
      {model.durations.length > 0 && (
        <Choice
          label={t('durationSeconds')}
          value={options.durationSeconds}
          values={model.durations}
          hasNull={model.defaultDuration === null}
          problem={problemOf('durationSeconds')}
          textOf={(seconds) => t('seconds', { seconds })}
          onChange={(durationSeconds) => {
            onChange({ durationSeconds });
          }}
        />
      )}
      {model.resolutions.length > 0 && (
        <Choice
          label={t('resolution')}
          value={options.resolution}
          values={model.resolutions}
          hasNull={model.defaultResolution === null}
          problem={problemOf('resolution')}
          textOf={resolution}
          onChange={(chosen) => {
            onChange({ resolution: chosen });
          }}
        />
      )}
      {model.sound !== 'NONE' && (
        <Choice
          label={t('sound')}
          value={options.sound}
          values={[true, false]}
          hasNull
          problem={problemOf('sound')}
          textOf={(sound) => t(sound ? 'soundOn' : 'soundOff')}
          onChange={(sound) => {
            onChange({ sound });
          }}
        />
      )}
    </div>
  );
}

/** The largest number that the API takes; models may take less. */
const MAX_INT = 2 ** 31 - 1;

function Texts({ model, onChange, options, problemOf }: OptionFieldsProps) {
  const t = useText();
  return (
    <>
      {model.negativePrompt !== 'NONE' && (
        <Field
          label={t('optional', { name: t('negativePrompt') })}
          hint={t('negativePromptHint')}
          problem={problemOf('negativePrompt')}
        >
          {(control) => (
            <input
              {...control}
              type="text"
              value={options.negativePrompt ?? ''}
              onChange={({ target }) => {
                onChange({ negativePrompt: target.value });
              }}
            />
          )}
        </Field>
      )}
      {model.seed !== 'NONE' && (
        <Field label={t('optional', { name: t('seed') })} hint={t('seedHint')} problem={problemOf('seed')}>
          {(control) => (
            <input
              {...control}
              type="text"
              inputMode="numeric"
              value={options.seed ?? ''}
              onChange={({ target: { value } }) => {
                if (/^\d*$/.test(value) && Number(value) <= MAX_INT)
                  onChange({ seed: value === '' ? null : Number(value) });
              }}
            />
          )}
        </Field>
      )}
    </>
  );
}
