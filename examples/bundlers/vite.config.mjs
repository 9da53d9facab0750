export default {
	ssr: {
		noExternal: true, // bundles every package but these
		external: ["@nearfar/core", "@nearfar/process"],
	},
	build: { ssr: "main.mjs", outDir: "out" },
};
