import { table } from './markdown.ts';
import { variablesByGroup, type ListedVariable } from './variables.ts';

/** The text of docs/configuration.md: every variable in its group. */
export function renderConfiguration(): string {
  const sections = [...variablesByGroup()].map(
    ([group, variables]) =>
      `## ${group}\n\n${table(['variable', 'default', 'meaning', 'example'], variables.map(toRow))}\n`,
  );
  return `${HEADER}\n${sections.join('\n')}`;
}

const HEADER = `# Configuration

Generated from the schema that parses it, by \`npm run schema\`.

Everything is set by environment variables, which are read once, at the start. An empty one counts as unset; one that
holds only white space, or only the commas of a list, is a mistake. All mistakes are told in one report, exit code 78. \`kineograph doctor\` says of a configuration whether what it names is there and works.
[.env.example](../.env.example) holds the same as a file: copy it to \`.env\` and start with
\`node --env-file=.env dist/main.js\`; nothing reads \`.env\` by itself. Switches are \`true\`, \`1\`, \`false\` or \`0\`.
Values marked _secret_ are never printed.
`;

function toRow({ default: value, description, example, name, isSecret }: ListedVariable): readonly string[] {
  return [
    `\`${name}\``,
    value === null ? 'unset' : `\`${value}\``,
    isSecret ? `${description} _Secret._` : description,
    `\`${example}\``,
  ];
}
