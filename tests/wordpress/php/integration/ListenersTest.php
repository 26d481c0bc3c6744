<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\Connector;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Customers\CustomerWriter;
use Tillsync\Bridge\Customers\PointsSwitch;
use Tillsync\Bridge\Events\EventIntake;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\RoleRules;
use Tillsync\Bridge\Types\TypeWriter;

require_once __DIR__ . '/BridgeTestCase.php';

/** Covers callbacks of other plugins that throw on this plugin's hooks. The plugin still does its work, and its own callbacks have run. */
final class ListenersTest extends BridgeTestCase {
	private int $thrown = 0;

	private function throw_on( string $hook ): void {
		// This priority is before all others except the plugin's own.
		add_filter(
			$hook,
			function (): void {
				++$this->thrown;
				throw new \TypeError( 'of another plugin' );
			},
			-1000
		);
	}

	private static function connect_string( string $account = 'corner-shop' ): string {
		return 'tillsync1.' . rtrim( strtr( base64_encode( (string) json_encode( array( 'url' => 'https://service.example.test', 'account_id' => $account, 'token' => 'token-of-tests' ) ) ), '+/', '-_' ), '=' );
	}

	private function alerts(): Alerts {
		return $this->services->get( Alerts::class );
	}

	public function test_connecting_and_disconnecting_finish_when_a_listener_throws(): void {
		$this->throw_on( 'tillsync_connected' );
		$this->throw_on( 'tillsync_disconnected' );
		$this->alerts()->open( Alert::REFUSED, 'before' );
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$this->assertSame( 'Corner Shop', $this->services->get( Connector::class )->connect( self::connect_string() )->account_name );
		$this->assertSame( array(), $this->alerts()->all() );
		$this->alerts()->open( Alert::PRODUCTS, '' );
		$this->services->get( Connector::class )->disconnect();
		$this->assertNull( $this->services->get( ConnectionStore::class )->current() );
		$this->assertSame( array(), $this->alerts()->all() );
		$this->assertSame( 2, $this->thrown );
	}

	public function test_pausing_and_resuming_the_outbox_finish_when_a_listener_throws(): void {
		$this->connect();
		$this->throw_on( 'tillsync_outbox_paused' );
		$this->throw_on( 'tillsync_outbox_resumed' );
		$order = $this->due_order();
		$this->advance( 60 );
		$this->service->script( 'BatchMatchOrderCustomers', FakeService::error( 401, 'unauthenticated' ) );
		$this->assertSame( 'paused', $this->drain()->stopped_by );
		$this->assertSame( array( '', 'waiting' ), array( $this->row( $order->get_id() )->claim_token, $this->row( $order->get_id() )->state ) );
		$this->assertSame( array( Alert::REFUSED ), array_map( static fn( Alert $alert ) => $alert->key, $this->alerts()->all() ) );
		$this->advance( 3700 );
		$this->service->script( 'BatchMatchOrderCustomers', array( 'results' => array( array( 'ok' => FakeService::match( $order->get_id(), 'ENTRY_STATE_PROCESSED', 'OUTCOME_MATCHED_EMAIL', 'Matched by email', 7 ) ) ) ) );
		$this->assertSame( 1, $this->drain()->ended );
		$this->assertSame( 0, $this->services->get( OutboxPause::class )->since() );
		$this->assertSame( array(), $this->alerts()->all() );
		$this->assertSame( 2, $this->thrown );
	}

	public function test_an_answer_is_stored_when_a_listener_throws(): void {
		$this->connect();
		$this->throw_on( 'tillsync_order_answered' );
		$order = $this->due_order( $this->user() );
		$this->advance( 60 );
		$this->service->script( 'BatchMatchOrderCustomers', array( 'results' => array( array( 'ok' => FakeService::match( $order->get_id(), 'ENTRY_STATE_HELD', 'OUTCOME_DUPLICATE_EMAIL', 'more than one' ) ) ) ) );
		$this->drain();
		$this->assertSame( 'ENTRY_STATE_HELD', $this->row( $order->get_id() )->entry_state, 'the answer is kept at once' );
		$this->assertCount( 1, $this->alerts()->all() );
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'ok' => FakeService::match( $order->get_id(), 'ENTRY_STATE_PROCESSED', 'OUTCOME_MATCHED_LINK', 'Matched to the linked customer', 7 ) ) ) ) );
		$this->advance( 400 );
		$this->assertSame( 1, $this->drain()->ended );
		$this->assertSame( array(), $this->alerts()->all() );
		$this->assertSame( 2, $this->thrown );
	}

	public function test_writes_of_the_service_are_stored_when_a_listener_throws(): void {
		foreach ( array( 'tillsync_customer_updated', 'tillsync_customer_type_updated', 'tillsync_events_taken' ) as $hook ) {
			$this->throw_on( $hook );
		}
		$users = array( $this->user(), $this->user() );
		$items = array_map( static fn( int $user ) => array( 'user_id' => $user, 'version' => '5', 'points' => '10', 'credit' => '0', 'type_id' => null, 'as_of' => '2026-01-02T03:04:05Z' ), $users );
		$this->assertSame( array( 'updated', 'updated' ), array_column( $this->services->get( CustomerWriter::class )->write( $items, 10.0 ), 'status' ) );
		$this->assertSame( 2, $this->thrown, 'each changed customer was told of' );
		$this->assertSame( '10', $this->services->get( CustomerTable::class )->find( $users[1] )->points );
		$this->assertSame( array( 'status' => 'updated' ), $this->services->get( TypeWriter::class )->write( CustomerType::of( 7, array( 'version' => '1', 'name' => 'Trade', 'discount' => '10', 'description' => '' ) ) ) );
		$event = array( 'event_id' => 'e1', 'subject' => 'order:5', 'sequence' => '1', 'type' => 'order.finished', 'entry_id' => '', 'state' => 'PROCESSED', 'outcome' => 'MATCHED_LINK', 'held_count' => 0 );
		$this->assertSame( array( 'updated' ), array_column( $this->services->get( EventIntake::class )->store( array( $event ), 10.0 ), 'status' ) );
		$this->assertSame( 4, $this->thrown );
	}

	public function test_slow_callbacks_are_logged(): void {
		$log = new class() extends \Tillsync\Bridge\Log {
			/** @var string[] */
			public array $warnings = array();

			public function warning( string $message ): void {
				$this->warnings[] = $message;
			}
		};
		$this->services->set( \Tillsync\Bridge\Log::class, $log );
		$user = $this->user();
		$item = static fn( int $version ) => array( 'user_id' => $user, 'version' => (string) $version, 'points' => (string) $version, 'credit' => '0', 'type_id' => null, 'as_of' => '2026-01-02T03:04:05Z' );
		add_action( 'tillsync_customer_updated', fn() => $this->clock->elapsed += 1.5 );
		$this->services->get( CustomerWriter::class )->write( array( $item( 1 ) ), INF );
		$this->assertSame( array(), $log->warnings );
		add_action( 'tillsync_customer_updated', fn() => $this->clock->elapsed += 1.5 );
		$this->services->get( CustomerWriter::class )->write( array( $item( 2 ) ), INF );
		$this->assertCount( 1, $log->warnings );
		$this->assertStringContainsString( '3.0 s for 1 customers', $log->warnings[0] );
	}

	public function test_the_plugins_filters_keep_their_value_when_a_callback_throws(): void {
		foreach ( array( 'tillsync_show_points', 'tillsync_role_capabilities_allowed' ) as $hook ) {
			$this->throw_on( $hook );
		}
		$this->assertTrue( $this->services->get( PointsSwitch::class )->is_on(), 'as the merchant chose' );
		$this->assertSame( array( 'read', 'level_0' ), $this->services->get( RoleRules::class )->allowed_capabilities() );
		$this->assertSame( 2, $this->thrown );
	}

	public function test_every_hook_of_the_plugin_is_guarded(): void {
		$bare = array();
		foreach ( new \RecursiveIteratorIterator( new \RecursiveDirectoryIterator( dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/src' ) ) as $file ) {
			$lines = 'php' === $file->getExtension() ? file( $file->getPathname() ) : array();
			foreach ( $lines as $number => $line ) {
				// SafeCall::run fires it, and its second argument is the hook's name. Reading the facts of an order has a guard of its own.
				if ( preg_match( "/(?:do_action|apply_filters)\\(\\s*'(tillsync_\\w+)'/", $line, $found ) && 'tillsync_unlinked_products' !== $found[1]
					&& ! str_starts_with( ltrim( $line ), '*' ) && ! str_contains( implode( '', array_slice( $lines, max( 0, $number - 15 ), 15 ) ), "'{$found[1]}'" ) ) {
					$bare[] = $file->getFilename() . ':' . ( $number + 1 );
				}
			}
		}
		$this->assertSame( array(), $bare );
	}
}
