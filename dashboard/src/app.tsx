import { connection } from './api/connection.ts';
import { useModels } from './api/models.ts';
import { settings } from './api/settings.ts';
import { useValue } from './api/value.ts';
import { CreateForm } from './create/create-form.tsx';
import { Announcer } from './shell/announcer.tsx';
import { Header } from './shell/header.tsx';
import { SandboxBanner } from './shell/sandbox-banner.tsx';
import { SignIn } from './shell/sign-in.tsx';
import { TaskPage } from './task/task-page.tsx';
import { useText } from './text/language.ts';
import { route } from './ui/route.tsx';
import { TaskList } from './watch/task-list.tsx';
import { useFollowing } from './watch/use-tasks.ts';

export function App() {
  const t = useText();
  const current = useValue(connection);
  const isSignedIn = current.state !== 'signed-out';
  return (
    <>
      <a className="skip" href="#tasks">
        {t('skipToTasks')}
      </a>
      <Header isSignedIn={isSignedIn} />
      {settings.sandbox && <SandboxBanner />}
      <main>{isSignedIn ? <Pages /> : <SignIn wasRefused={current.wasRefused} />}</main>
    </>
  );
}

function Pages() {
  const [, id] = /^\/tasks\/([^/]+)$/.exec(useValue(route)) ?? [];
  useFollowing();
  useModels();
  return (
    <>
      <Announcer />
      {id === undefined ? (
        <>
          <CreateForm />
          <TaskList />
        </>
      ) : (
        <TaskPage key={id} id={decodeURIComponent(id)} />
      )}
    </>
  );
}
