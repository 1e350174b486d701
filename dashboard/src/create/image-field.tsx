import { useId, useState, type ClipboardEvent, type DragEvent } from 'react';
import type { Model } from '../api/operations.ts';
import { useText } from '../text/language.ts';
import type { Limits } from './limits.ts';
import { Preview } from './preview.tsx';
import type { FormImage } from './use-image.ts';

/** An image to be dropped, pasted, chosen, or given by its address. */
export function ImageField({
  image,
  label,
  limits,
  rules,
}: {
  label: string;
  image: FormImage;
  rules: Model['image'];
  limits: Limits;
}) {
  const t = useText();
  const id = useId();
  const [isOver, setIsOver] = useState(false);
  const { preview, problem, progress, url } = image;

  const take = (data: DataTransfer): boolean => {
    const [file] = data.files;
    if (file) image.choose(file);
    return file !== undefined;
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setIsOver(false);
    take(event.dataTransfer);
  };
  const paste = (event: ClipboardEvent): void => {
    if (take(event.clipboardData)) event.preventDefault();
  };
  const over = (event: DragEvent): void => {
    event.preventDefault();
    setIsOver(true);
  };
  const leave = (): void => {
    setIsOver(false);
  };

  return (
    <fieldset
      className={isOver ? 'image over' : 'image'}
      onDragOver={over}
      onDragLeave={leave}
      onDrop={drop}
      onPaste={paste}
      aria-describedby={`${id}-hint`}
    >
      <legend>{label}</legend>
      {preview !== null && <Preview key={preview} url={preview} />}
      <p id={`${id}-hint`} className="hint">
        {t('imageHint', limits)}
      </p>
      <div className="row">
        <FileButton name={label} accept={rules.mediaTypes.join(',')} onChosen={image.choose} />
        {(url !== '' || preview !== null) && (
          <button type="button" className="quiet" onClick={image.clear}>
            {t('removeImage')}
          </button>
        )}
      </div>
      <Address id={id} image={image} />
      {progress !== null && <Progress part={progress} />}
      <p id={`${id}-problem`} className="problem" role="alert">
        {problem !== null && t(problem, limits)}
      </p>
    </fieldset>
  );
}

function FileButton({
  accept,
  name,
  onChosen,
}: {
  name: string;
  accept: string;
  onChosen: (file: File) => void;
}) {
  const t = useText();
  return (
    <label className="button">
      {t('chooseImage')}
      <input
        type="file"
        className="hidden"
        accept={accept}
        aria-label={`${name}: ${t('chooseImage')}`}
        onChange={({ target }) => {
          const file = target.files?.[0];
          if (file) onChosen(file);
          // So that the same one can be chosen once more.
          target.value = '';
        }}
      />
    </label>
  );
}

function Address({ id, image }: { id: string; image: FormImage }) {
  const t = useText();
  return (
    <>
      <label htmlFor={`${id}-url`}>{t('imageUrl')}</label>
      <input
        id={`${id}-url`}
        type="url"
        value={image.url}
        disabled={image.progress !== null}
        placeholder="https://"
        aria-invalid={image.problem !== null}
        aria-describedby={`${id}-problem`}
        onChange={({ target }) => {
          image.setUrl(target.value);
        }}
      />
    </>
  );
}

function Progress({ part }: { part: number }) {
  const t = useText();
  const text = t('uploading', { percent: Math.round(part * 100) });
  return (
    <p>
      <progress value={part} aria-label={text} /> {text}
    </p>
  );
}
