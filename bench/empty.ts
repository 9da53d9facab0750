// What `import.ts` compares import-core.ts with.
export {};
