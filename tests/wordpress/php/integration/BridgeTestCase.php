<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\SiteIdentity;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\DrainReport;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Services;

require_once __DIR__ . '/FakeService.php';

/** Base of tests of the bridge inside a site. The bridge calls a scripted service, and tests set its clock. */
abstract class BridgeTestCase extends SiteTestCase {
	protected const SECRET = 'c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n';
	protected Services $services;
	protected FakeService $service;
	/** @var Clock&object{now: int} */
	protected Clock $clock;

	protected function setUp(): void {
		parent::setUp();
		$this->clock    = new class() extends Clock {
			public int $now;
			public float $elapsed = 0.0;

			public function __construct() {
				$this->now = time();
			}

			public function now(): int {
				return $this->now;
			}

			public function monotonic(): float {
				return $this->elapsed;
			}
		};
		$this->services = new Services();
		$this->services->set( Clock::class, $this->clock );
		$this->service = new FakeService();
	}

	protected function connect( string $home = '', string $environment = '' ): Connection {
		$connection = new Connection( 'https://service.example.test', 'corner-shop', 'token-of-tests', self::SECRET, '' === $home ? SiteIdentity::home_url() : $home, '' === $environment ? SiteIdentity::environment() : $environment, $this->clock->now - 3600, 'Corner Shop', $this->clock->now - 3600 );
		$this->services->get( ConnectionStore::class )->save( $connection );
		return $connection;
	}

	protected function advance( int $seconds ): void {
		$this->clock->now += $seconds;
	}

	protected function drain(): DrainReport {
		return $this->services->get( Drain::class )->run();
	}

	protected function row( int $order_id ): OutboxRow {
		$row = $this->services->get( Outbox::class )->find( $order_id );
		$this->assertNotNull( $row, "order $order_id has no row" );
		return $row;
	}

	/** Creates an order and adds its outbox row. */
	protected function due_order( int $customer_id = 0, array $billing = array( 'email' => 'ada@example.test' ) ): \WC_Order {
		$order = $this->order( 'processing', $customer_id, $billing );
		$this->assertTrue( $this->services->get( Outbox::class )->add( $order->get_id() ) );
		return $order;
	}
}
