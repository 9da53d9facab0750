export default {
	entry: ["main.mjs"],
	format: "esm",
	outDir: "out",
	external: [/^@nearfar\//],
};
