<?php
/**
 * Objects of the commands.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Cli;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Health\HealthFacts;
use Tillsync\Bridge\Health\ServiceTest;
use Tillsync\Bridge\Orders\Answers;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\OrderDecisions;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Screens\QueueList;

/**
 * WP-CLI needs the object of TillsyncCommand before it knows whether one of its commands runs. So the objects that the commands use are
 * here.
 */
final class CommandTools {

	public function __construct(
		public readonly HealthFacts $health_facts,
		public readonly Drain $drain,
		public readonly OrderDecisions $order_decisions,
		public readonly Answers $answers,
		public readonly QueueList $queue_list,
		public readonly ServiceTest $service_test,
		public readonly Outbox $outbox,
		public readonly Clock $clock
	) {}
}
