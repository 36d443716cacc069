export { run, runBlock } from './dispatch';
