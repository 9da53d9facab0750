// What `import.ts` measures: no more than the import.
import "@nearfar/core";
