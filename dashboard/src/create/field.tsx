import { useId, type ReactNode } from 'react';

/** What the control of a field takes, so that its label, hint and problem belong to it. */
interface ControlProps {
  readonly id: string;
  readonly 'aria-invalid': boolean;
  readonly 'aria-describedby': string;
}

/** A label, its control, a hint, and what is wrong. */
export function Field({
  children,
  hint,
  label,
  problem,
}: {
  label: string;
  hint?: ReactNode;
  problem: string | null;
  children: (control: ControlProps) => ReactNode;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        'aria-invalid': problem !== null,
        'aria-describedby': `${id}-hint ${id}-problem`,
      })}
      <p id={`${id}-hint`} className="hint">
        {hint}
      </p>
      <p id={`${id}-problem`} className="problem" role="alert">
        {problem}
      </p>
    </div>
  );
}
