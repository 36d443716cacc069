/** What a Node program needs to give a guest files and streams of its own machine. */
export { nodeCompiler } from './compiler-thread.ts';
export { nodeNatHost } from './nat-host.ts';
export { nodeDisk } from './node-disk.ts';
export { type NodeFileSystemOptions, nodeFileSystem } from './node-fs.ts';
export { nodeHost } from './node-host.ts';
export { descriptorOutput, nodeStderr, nodeStdin, nodeStdout, restoreTerminal, streamStdin } from './node-stdio.ts';
export { nodeRuntime, nodeSystemRuntime } from './runtime.ts';
export { nodeTranslationStore, type TranslationFolderOptions } from './translation-folder.ts';
