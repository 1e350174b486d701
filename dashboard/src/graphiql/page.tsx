import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useRef } from 'react';
import type { DeepLink } from './deep-link.ts';
import { fetcher } from './fetcher.ts';
import { READY_OPERATIONS } from './ready-operations.ts';

/**
 * GraphiQL on our own API, with the ready-made operations in tabs until the browser remembers others. The operation of a
 * link comes first and is looked at, but not run. Headers are never stored: there are credentials among them.
 */
export function Page({ link }: { readonly link: DeepLink | null }) {
  return (
    <GraphiQL
      fetcher={fetcher}
      defaultTabs={link ? [link, ...READY_OPERATIONS] : [...READY_OPERATIONS]}
      shouldPersistHeaders={false}
      defaultEditorToolsVisibility="variables"
      {...(link && { initialQuery: link.query, initialVariables: link.variables })}
    >
      <GraphiQL.Logo>
        <a className="graphiql-logo-link" href="/">
          Kineograph
        </a>
      </GraphiQL.Logo>
      {link && <LinkedTab operationName={link.operationName} />}
      <WrapLines />
    </GraphiQL>
  );
}

/** Wraps long lines of operations, which GraphiQL has no property for. */
function WrapLines() {
  const editor = useGraphiQL(({ queryEditor }) => queryEditor);
  useEffect(() => editor?.updateOptions({ wordWrap: 'on' }), [editor]);
  return null;
}

/**
 * Moves the tab of a link to the front, once, and chooses its operation. Beside remembered tabs, GraphiQL puts a new one last.
 */
function LinkedTab({ operationName }: { readonly operationName: string }) {
  const { moveTab, setOperationName } = useGraphiQLActions();
  const { active, tabs } = useGraphiQL(({ activeTabIndex, tabs }) => ({ active: activeTabIndex, tabs }));
  const isDone = useRef(false);
  useEffect(() => {
    const tab = tabs[active];
    if (isDone.current || !tab) return;
    isDone.current = true;
    if (active > 0) moveTab([tab, ...tabs.filter((other) => other !== tab)]);
    // Afterwards: it makes a new object of the tab, which `moveTab` would not find.
    if (operationName !== '') setOperationName(operationName);
  }, [active, moveTab, operationName, setOperationName, tabs]);
  return null;
}
