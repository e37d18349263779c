// @hey-api/openapi-ts: compiled and run by test_clients.py.
import { client } from './generated/hey-api/client.gen.ts'
import { callCompleted, createCall, getCall, listAgents } from './generated/hey-api/sdk.gen.ts'
import { key, origin, run } from './scenario.ts'
import type { Problem, Result } from './scenario.ts'

client.setConfig({ baseUrl: origin, auth: key })

await run({
  listAgents: async () => result(await listAgents()),
  createCall: async (phone, agent) => result(await createCall({ body: { phone, agent } })),
  getCall: async (call_id) => result(await getCall({ path: { call_id } })),
  complete: async (status, transcript, duration) => result(await callCompleted({
    body: { event_type: 'call.completed', provider_call_id: 'internal-provider-reference', status, transcript, duration }
  }))
})

function result<T> ({ data, error }: { data?: T | undefined, error?: Problem | undefined }): Result<T> {
  if (error !== undefined) return { problem: error }
  if (data === undefined) throw new Error('the response is empty')
  return { data }
}
