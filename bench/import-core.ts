// The program that `import.ts` measures: an import and nothing else.
import "@nearfar/core";
