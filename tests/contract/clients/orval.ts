// orval with its fetch client: compiled and run by test_clients.py.
import { callCompleted, createCall, getCall, listAgents } from './generated/orval.ts'
import { key, origin, run } from './scenario.ts'
import type { Problem } from './scenario.ts'

// orval's functions take the path alone: the base URL is its caller's.
const { fetch } = globalThis
globalThis.fetch = async (path, options) => await fetch(`${origin}${path as string}`, options)
const signed = { headers: { Authorization: `Bearer ${key}` } }

await run({
  listAgents: async () => {
    const { status, data } = await listAgents(signed)
    return status === 200 ? { data } : { problem: data }
  },
  createCall: async (phone, agent) => {
    const { status, data } = await createCall({ phone, agent }, signed)
    return status === 201 ? { data } : { problem: data satisfies Problem }
  },
  getCall: async (callId) => {
    const { status, data } = await getCall(callId, signed)
    return status === 200 ? { data } : { problem: data }
  },
  complete: async (status, transcript, duration) => {
    const completion = { event_type: 'call.completed', provider_call_id: 'internal-provider-reference', status, transcript, duration } as const
    const response = await callCompleted(completion, signed)
    return response.status === 200 ? { data: response.data } : { problem: response.data }
  }
})
