import { createRoot } from 'react-dom/client';
import 'graphiql/setup-workers/vite';
import { takeDeepLink } from './deep-link.ts';
import { Page } from './page.tsx';
import './style.css';

const root = document.getElementById('root');
// Not in strict mode: it mounts everything twice, and the editors do not outlive that.
if (root) createRoot(root).render(<Page link={takeDeepLink()} />);

// A link that is followed while the page is open changes nothing but the part behind the #.
window.addEventListener('hashchange', () => {
  location.reload();
});
