<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Boot\HookCall;
use Tillsync\Bridge\Orders\ChosenStatuses;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\Tables;

require_once __DIR__ . '/../BridgeTestCase.php';

/** Covers the plugin's own hook, as the site has registered it. */
final class OrderHookTest extends BridgeTestCase {
	private function plugin_callback(): HookCall {
		foreach ( $GLOBALS['wp_filter']['woocommerce_order_status_changed'][10] as $hooked ) {
			if ( $hooked['function'] instanceof HookCall ) {
				return $hooked['function'];
			}
		}
		$this->fail( 'the plugin has not registered its hook' );
	}

	public function test_the_hook_runs_one_insert_and_schedules_cron_once(): void {
		global $wpdb;
		$this->connect();
		wp_load_alloptions();
		$order    = $this->order( 'pending' );
		$second   = $this->order( 'pending' );
		$callback = $this->plugin_callback();
		$queries = array();
		add_filter(
			'query',
			static function ( $sql ) use ( &$queries ) {
				$queries[] = $sql;
				return $sql;
			}
		);
		$callback( $order->get_id(), 'pending', 'processing', $order );
		$insert = 'INSERT INTO ' . $this->services->get( Tables::class )->outbox();
		$this->assertCount( 2, $queries, implode( "\n", $queries ) );
		$this->assertStringStartsWith( $insert, ltrim( $queries[0] ) );
		$this->assertStringContainsString( "WHERE `option_name` = 'cron'", $queries[1] );
		$due = wp_next_scheduled( Schedule::DUE );
		$this->assertEqualsWithDelta( time() + Outbox::SEND_DELAY_SECONDS, $due, 5 );
		$callback( $second->get_id(), 'pending', 'processing', $second );
		$this->assertCount( 3, $queries, 'cron drains both orders' );
		$this->assertStringStartsWith( $insert, ltrim( $queries[2] ) );
		$this->assertSame( $due, wp_next_scheduled( Schedule::DUE ) );
		$this->assertSame( array(), $this->service->calls );
		$this->assertSame( 'waiting', $this->row( $order->get_id() )->state );
		unset( $wpdb );
	}

	public function test_the_hook_adds_orders_of_chosen_statuses_in_a_connected_shop_only(): void {
		$unconnected = $this->order( 'processing' );
		$this->assertNull( $this->services->get( Outbox::class )->find( $unconnected->get_id() ) );
		$this->connect();
		$held = $this->order( 'on-hold' );
		$this->assertNull( $this->services->get( Outbox::class )->find( $held->get_id() ) );
		$held->update_status( 'completed' );
		$this->assertSame( 'waiting', $this->row( $held->get_id() )->state );
		ChosenStatuses::choose( array( 'on-hold', 'cancelled', 'nonsense' ) );
		$this->assertSame( array( 'on-hold' ), ChosenStatuses::get() );
		$this->assertSame( 'waiting', $this->row( $this->order( 'on-hold' )->get_id() )->state );
		$this->assertNull( $this->services->get( Outbox::class )->find( $this->order( 'processing' )->get_id() ) );
		ChosenStatuses::choose( array() );
		$this->assertSame( ChosenStatuses::DEFAULT, ChosenStatuses::get() );
	}

	/** @dataProvider arguments */
	public function test_the_hook_accepts_any_arguments( array $arguments ): void {
		$this->connect();
		// Only the plugin's callback is called, because WooCommerce's own callbacks throw on some of these arguments.
		( $this->plugin_callback() )( ...$arguments );
		$this->assertSame( array(), $this->services->get( Outbox::class )->depth() );
	}

	public function arguments(): array {
		return array(
			'nothing'      => array( array() ),
			'null'         => array( array( null, null, null, null ) ),
			'an array'     => array( array( array( 1 ), array(), array( 'processing' ), array() ) ),
			'a text'       => array( array( 'twelve', 'pending', 'processing', null ) ),
			'negative'     => array( array( -5, 'pending', 'processing', null ) ),
			'another kind' => array( array( 5, 'pending', 'processing', new \stdClass() ) ),
			'objects'      => array( array( new \stdClass(), new \stdClass(), new \stdClass(), 'x' ) ),
		);
	}

	public function test_the_hook_ignores_refunds_and_subscriptions(): void {
		$this->connect();
		$subscription = new class() extends \WC_Order {
			public function get_type() {
				return 'shop_subscription';
			}
		};
		do_action( 'woocommerce_order_status_changed', 77, 'pending', 'processing', $subscription );
		do_action( 'woocommerce_order_status_changed', 78, 'pending', 'completed', new \WC_Order_Refund() );
		$this->assertSame( array(), $this->services->get( Outbox::class )->depth() );
	}
}
