export default {
	input: "main.mjs",
	platform: "node",
	external: /^@nearfar\//,
	output: { file: "out/main.mjs", format: "esm" },
};
