// The empty program that `import.ts` compares import-core.ts with.
export {};
