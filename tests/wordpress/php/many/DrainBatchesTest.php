<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Orders\DrainLimits;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Service\Breaker;

require_once __DIR__ . '/../integration/Orders/DrainTestCase.php';

/** Covers more orders than one call takes. */
final class DrainBatchesTest extends DrainTestCase {
	public function test_many_orders_are_sent_in_batches_of_a_hundred(): void {
		$this->due_orders( 120 );
		$report = $this->drain();
		$this->assertSame( array( 100, 20 ), array_map( static fn( $message ) => count( $message['orders'] ), $this->service->messages( 'BatchMatchOrderCustomers' ) ) );
		$this->assertSame( array( 120, '' ), array( $report->sent, $report->stopped_by ) );
	}

	public function test_transport_failures_keep_rows_due_and_visible_and_open_the_breaker_at_the_second(): void {
		$this->due_orders( 120 );
		$this->service->script( 'BatchMatchOrderCustomers', new \WP_Error( 'http_request_failed', 'no route to host' ) );
		$report = $this->drain();
		$this->assertSame( array( 'breaker', 2, 120 ), array( $report->stopped_by, $report->failed_calls, $report->postponed ) );
		$this->assertSame( 120, $this->services->get( Outbox::class )->depth()['waiting']['count'] );
		$this->assertStringContainsString( 'no route to host', $this->services->get( Outbox::class )->unsent( 1, 119 )[0]->reason );
		$calls = count( $this->service->calls );
		$this->assertSame( 'breaker', $this->drain()->stopped_by );
		$this->assertCount( $calls, $this->service->calls );
		$this->service->script( 'BatchMatchOrderCustomers', self::decided() );
		$this->advance( 70 );
		$this->assertSame( 120, $this->drain()->ended );
		$this->assertSame( 0, $this->services->get( Breaker::class )->failures() );
	}

	public function test_a_drain_stops_in_time_and_releases_unsent_rows(): void {
		$this->due_orders( 120 );
		$this->service->script(
			'BatchMatchOrderCustomers',
			function ( array $message ) {
				$this->clock->elapsed += 21;
				return self::decided()( $message );
			}
		);
		$report = $this->drain();
		$this->assertSame( array( 'time', 100 ), array( $report->stopped_by, $report->ended ) );
		$this->assertSame( 20, $this->drain()->ended );
		$this->assertSame( 'memory', ( new DrainLimitsWithoutMemory( $this->clock ) )->reason_to_stop() );
	}
}

/** Limits of a host without free memory. */
final class DrainLimitsWithoutMemory {
	private DrainLimits $limits;

	public function __construct( \Tillsync\Bridge\Clock $clock ) {
		$before = ini_set( 'memory_limit', (string) ( memory_get_usage( true ) + 8 * 1024 * 1024 ) );
		$this->limits = new DrainLimits( $clock );
		ini_set( 'memory_limit', (string) $before );
	}

	public function reason_to_stop(): string {
		return $this->limits->reason_to_stop();
	}
}
