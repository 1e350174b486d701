import { variablesByGroup, type ListedVariable } from './variables.ts';

const WIDTH = 100;
/** What comments begin with. */
const MARK = '# ';

const HEADER = `# The settings of Kineograph, each commented out at its default: nothing here has to be set.
# Copy this file to .env, uncomment what you change, and start with:
#   node --env-file=.env dist/main.js
`;

/** The text of `.env.example`: every variable in its group, described, commented out at its default. */
export function renderEnvExample(): string {
  const sections = [...variablesByGroup()].map(
    ([group, variables]) => `\n# --- ${group} ---\n${variables.map(renderVariable).join('')}`,
  );
  return HEADER + sections.join('');
}

function renderVariable({ name, default: value, description, example }: ListedVariable): string {
  const unset = value === null ? '# Unset by default. For example:\n' : '';
  return `\n${comment(description)}\n${unset}# ${name}=${value ?? example}\n`;
}

function comment(text: string): string {
  return wrap(text, WIDTH - MARK.length)
    .map((line) => MARK + line)
    .join('\n');
}

/** A text in lines of at most `width` characters; only a longer word makes a longer line. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trimStart();
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
