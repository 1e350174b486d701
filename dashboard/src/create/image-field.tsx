import { useId, useState, type ClipboardEvent, type DragEvent } from 'react';
import type { Key } from '../text/en.ts';
import { useText } from '../text/language.ts';
import { Preview } from './preview.tsx';
import type { FormImage } from './use-image.ts';

/** An image to be dropped, pasted, chosen, or given by its address. */
export function ImageField({ label, image }: { label: Key; image: FormImage }) {
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
      <legend>{t(label)}</legend>
      {preview !== null && <Preview key={preview} url={preview} />}
      <p id={`${id}-hint`} className="hint">
        {t('imageHint')}
      </p>
      <div className="row">
        <FileButton name={t(label)} onChosen={image.choose} />
        {(url !== '' || preview !== null) && (
          <button type="button" className="quiet" onClick={image.clear}>
            {t('removeImage')}
          </button>
        )}
      </div>
      <Address id={id} image={image} />
      {progress !== null && <Progress part={progress} />}
      <p id={`${id}-problem`} className="problem" role="alert">
        {problem !== null && t(problem)}
      </p>
    </fieldset>
  );
}

function FileButton({ name, onChosen }: { name: string; onChosen: (file: File) => void }) {
  const t = useText();
  return (
    <label className="button">
      {t('chooseImage')}
      <input
        type="file"
        className="hidden"
        accept="image/jpeg,image/png,image/webp"
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
