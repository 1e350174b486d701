export function App() {
  return <main>Kineograph</main>;
}
