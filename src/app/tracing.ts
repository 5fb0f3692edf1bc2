/** @file Traces to an OpenTelemetry collector, when an operator names one. Off, nothing of it is loaded. */
import { outbound } from "#base";

export async function startTracing(endpoint: string, version: string): Promise<{ stop(): Promise<void> } | null> {
  if (endpoint === "") return null;
  outbound.allow(endpoint, "traces: STARBOX_OTLP");
  const [{ BatchSpanProcessor, TracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }, { trace }] = await Promise.all([
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/api"),
  ]);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "starbox", "service.version": version }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }) })],
  });
  trace.setGlobalTracerProvider(provider);
  return {
    stop: async () => {
      // A collector that is away must not keep the box from ending.
      await Promise.race([provider.shutdown(), new Promise((resolve) => setTimeout(resolve, 2000))]);
    },
  };
}
