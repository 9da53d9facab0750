export default {
	mode: "production",
	target: "node20",
	entry: "./main.mjs",
	externals: /^@nearfar\//,
	externalsType: "module",
	experiments: { outputModule: true },
	output: { path: `${import.meta.dirname}/out`, filename: "main.mjs", module: true },
};
