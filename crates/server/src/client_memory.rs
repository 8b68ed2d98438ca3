//! The memory of clients: what they hold together is kept within `limits.clients_bytes_max`, and those that read too
//! slowly for too long are closed.
//!
//! Both are looked at ten times a second, from the cards that connections write anyway, so that no request pays for it.
//! What one client can hold between two looks is bounded by the hard limits, which its connection keeps itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mayfly_command::{ClientCard, Host};
use mayfly_config::LimitsConfig;

use crate::host::ServerHost;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(100);
/// How often is looked whether there is anything to look at.
const SELDOM: Duration = Duration::from_secs(1);

/// Looks until the process ends.
pub async fn watch(host: Arc<ServerHost>) {
    let mut slow = SlowReaders::default();
    loop {
        let config = host.config();
        let limits = &config.limits;
        let is_soft = limits.output_bytes_soft > 0 || limits.subscriber_bytes_soft > 0;
        if !is_soft && limits.clients_bytes_max == 0 {
            tokio::time::sleep(SELDOM).await;
            continue;
        }
        tokio::time::sleep(EVERY).await;
        let cards = host.clients.all();
        let now = host.clock.now().0;
        let too_slow = slow.look(&cards, limits, now);
        for card in &too_slow {
            let (client, waiting_bytes) = (&card.address, card.output_waiting_bytes.load(Relaxed));
            tracing::warn!(client, waiting_bytes, "closed a client that has read too slowly for too long");
        }
        host.clients.slow_closed(too_slow.len() as u64);
        host.disconnect(&too_slow);
        let evicted = largest_beyond(&cards, limits.clients_bytes_max as u64);
        for card in &evicted {
            let (client, bytes) = (&card.address, card.memory_bytes());
            tracing::warn!(client, bytes, "closed a client for the memory that all of them hold");
        }
        host.clients.evicted(evicted.len() as u64);
        host.disconnect(&evicted);
    }
}

/// The clients that are to go so that the others hold no more than this together: the largest first, but none that has
/// said `CLIENT NO-EVICT on`.
fn largest_beyond(cards: &[Arc<ClientCard>], bytes_max: u64) -> Vec<Arc<ClientCard>> {
    if bytes_max == 0 {
        return Vec::new();
    }
    let mut sizes: Vec<_> = cards.iter().map(|card| (card.memory_bytes(), card)).collect();
    let mut held: u64 = sizes.iter().map(|(bytes, _)| bytes).sum();
    sizes.retain(|(bytes, card)| *bytes > 0 && !card.no_evict.load(Relaxed));
    sizes.sort_unstable_by_key(|(bytes, card)| (std::cmp::Reverse(*bytes), card.id));
    let mut gone = Vec::new();
    for (bytes, card) in sizes {
        if held <= bytes_max {
            break;
        }
        held -= bytes;
        gone.push(Arc::clone(card));
    }
    gone
}

/// Since when clients are past their soft limit.
#[derive(Default)]
struct SlowReaders(HashMap<u64, i64>);

impl SlowReaders {
    /// The clients that have been past their soft limit for longer than it allows, at `now` in ms.
    fn look(&mut self, cards: &[Arc<ClientCard>], limits: &LimitsConfig, now: i64) -> Vec<Arc<ClientCard>> {
        let mut since = HashMap::new();
        let mut too_slow = Vec::new();
        for card in cards {
            let is_listening = card.subscriptions.load(Relaxed) > 0 || card.is_monitor.load(Relaxed);
            let (soft, seconds) = match is_listening {
                true => (limits.subscriber_bytes_soft, limits.subscriber_soft_seconds),
                false => (limits.output_bytes_soft, limits.output_soft_seconds),
            };
            if soft == 0 || card.output_waiting_bytes.load(Relaxed) <= soft as u64 {
                continue;
            }
            let began = *self.0.get(&card.id).unwrap_or(&now);
            since.insert(card.id, began);
            if now - began > (seconds as i64).saturating_mul(1_000) {
                too_slow.push(Arc::clone(card));
            }
        }
        self.0 = since;
        too_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(id: u64, input: u64, output: u64) -> Arc<ClientCard> {
        let card = ClientCard::new(id, "a".into(), "b".into(), 0);
        card.input_waiting_bytes.store(input, Relaxed);
        card.output_waiting_bytes.store(output, Relaxed);
        Arc::new(card)
    }

    #[test]
    fn the_largest_clients_go_until_the_rest_fits() {
        let cards = [card(1, 10, 0), card(2, 50, 50), card(3, 0, 60), card(4, 500, 0), card(5, 0, 0)];
        cards[3].no_evict.store(true, Relaxed);
        let gone = |bytes_max| -> Vec<u64> {
            largest_beyond(&cards, bytes_max).iter().map(|card| card.id).collect()
        };
        assert_eq!(gone(0), [0_u64; 0]);
        assert_eq!(gone(670), [0_u64; 0]);
        assert_eq!(gone(669), [2]);
        assert_eq!(gone(569), [2, 3]);
        assert_eq!(gone(1), [2, 3, 1]);
    }

    #[test]
    fn a_client_may_be_past_its_soft_limit_for_a_while() {
        let limits = LimitsConfig {
            output_bytes_soft: 100,
            output_soft_seconds: 10,
            subscriber_bytes_soft: 0,
            ..LimitsConfig::default()
        };
        let (slow, listener) = (card(1, 0, 101), card(2, 0, 1_000));
        listener.subscriptions.store(1, Relaxed);
        let cards = [Arc::clone(&slow), listener];
        let mut readers = SlowReaders::default();
        let mut look =
            |now| -> Vec<u64> { readers.look(&cards, &limits, now).iter().map(|card| card.id).collect() };
        assert_eq!((look(0), look(10_000)), (vec![], vec![]));
        assert_eq!(look(10_001), [1]);
        // It has read in between.
        slow.output_waiting_bytes.store(100, Relaxed);
        assert_eq!(look(10_100), [0_u64; 0]);
        slow.output_waiting_bytes.store(101, Relaxed);
        assert_eq!((look(10_200), look(20_200)), (vec![], vec![]));
        assert_eq!(look(20_201), [1]);
    }
}
