// Gives this realm `Symbol.dispose` and `Symbol.asyncDispose`. The contexts of node:vm in Node 20 have neither, and vitest runs
// tests in such contexts (pools vmForks and vmThreads). Compilers of `using` fall back to the same registered symbols.
// The entry of the package imports this file first: classes name their methods by these symbols while they are evaluated.
for (const name of ["dispose", "asyncDispose"]) {
	if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
}
