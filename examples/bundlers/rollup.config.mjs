export default {
	input: "main.mjs",
	external: /^@nearfar\//,
	output: { file: "out/main.mjs", format: "esm" },
};
