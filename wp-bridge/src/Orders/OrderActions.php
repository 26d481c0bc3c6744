<?php
/**
 * Actions of the order screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Closure;
use Throwable;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\ServiceErrorResponse;
use Tillsync\Bridge\Service\ServiceError;
use WC_Order;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Handles "Match again", which is also in the screen's own action list and works there without a script, and the steps of "Wrong
 * customer?".
 */
final class OrderActions {

	public const ACTION = 'tillsync_match_again';

	public function __construct(
		private readonly Drain $drain,
		private readonly DrainTimer $drain_timer,
		private readonly TillCustomers $till_customers,
		private readonly OrderPanel $order_panel,
		private readonly OrderDecisions $order_decisions,
		private readonly Outbox $outbox,
		private readonly ConnectionStore $connections,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		self::add_route( 'GET', 'link', $made, static fn( self $actions, WC_Order $order ) => array( 'guest' => $order->get_customer_id() < 1, 'link' => $actions->order_decisions->link_of( $order ) ) );
		self::add_route( 'POST', 'match', $made, static fn( self $actions, WC_Order $order ) => $actions->after( $order, $actions->order_decisions->match_again( $order ) ) );
		self::add_route( 'POST', 'look', $made, static fn( self $actions, WC_Order $order ) => $actions->after( $order, $actions->drain->run_one( $order->get_id() ) ) );
		self::add_route(
			'POST',
			'unlink',
			$made,
			static function ( self $actions, WC_Order $order ): array {
				$actions->order_decisions->unlink( $order );
				return array( 'guest' => false, 'link' => null );
			}
		);
		self::add_route(
			'POST',
			'customer',
			$made,
			static fn( self $actions, WC_Order $order, WP_REST_Request $request ) => $actions->after( $order, $actions->order_decisions->choose( $order, (string) $request['epos_customer_id'] ) ),
			array( 'epos_customer_id' => array( 'type' => 'string', 'required' => true, 'pattern' => '^[1-9][0-9]{0,18}$' ) )
		);
		register_rest_route(
			AdminGate::NAMESPACE,
			'/till-customers',
			array(
				'methods'             => 'GET',
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => array( 'query' => array( 'type' => 'string', 'required' => true, 'minLength' => 1, 'maxLength' => 254 ) ),
				'callback'            => static fn( WP_REST_Request $request ) => $made()->answer( static fn() => $made()->till_customers->search( trim( (string) $request['query'] ) ), 'till-customers' ),
			)
		);
	}

	/**
	 * @param Closure(): self                                                 $made Creates the object when a request comes.
	 * @param Closure(self, WC_Order, WP_REST_Request): array<string, mixed> $body Returns the response data.
	 * @param array<string, array<string, mixed>>                            $args Parameters of the route.
	 */
	private static function add_route( string $method, string $name, Closure $made, Closure $body, array $args = array() ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/orders/(?P<order_id>\d{1,18})/' . $name,
			array(
				'methods'             => $method,
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => $args,
				'callback'            => static function ( WP_REST_Request $request ) use ( $made, $body, $name ) {
					$order = wc_get_order( (int) $request['order_id'] );
					if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
						return new WP_Error( 'tillsync_no_order', __( 'There is no such order.', 'tillsync-bridge' ), array( 'status' => 404 ) );
					}
					return $made()->answer( static fn() => $body( $made(), $order, $request ), $name );
				},
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	private function answer( Closure $body, string $where ) {
		try {
			$response = new WP_REST_Response( $body() );
			$response->header( 'Cache-Control', 'no-store, private' );
			return $response;
		} catch ( ServiceError $error ) {
			return ServiceErrorResponse::of( $error );
		} catch ( Throwable $error ) {
			$this->log->failure( $where, $error );
			return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
		}
	}

	/**
	 * Returns the panel's present HTML, and a hint when nothing was sent.
	 *
	 * @return array{html: string, hint: string, settled: bool}
	 */
	private function after( WC_Order $order, DrainReport $report ): array {
		$fresh = wc_get_order( $order->get_id() );
		$fresh = $fresh instanceof WC_Order ? $fresh : $order;
		$row   = $this->outbox->find( $order->get_id() );
		return array(
			'html'    => $this->order_panel->html( $fresh ),
			'hint'    => '' === $report->stopped_by ? '' : OrderPanel::stop_text( $report->stopped_by ),
			'settled' => null === $row || ! in_array( $row->state, array( OutboxRow::WAITING, OutboxRow::SENT ), true ) || Answer::HELD === $row->entry_state,
		);
	}

	/**
	 * @param mixed $actions Actions of WooCommerce and other plugins.
	 * @param mixed $order   The order; WooCommerce passes it since 5.8.
	 * @return mixed
	 */
	public function with_action( $actions = array(), $order = null ) {
		if ( is_array( $actions ) && current_user_can( AdminGate::CAPABILITY ) && $this->connections->is_connected() && ( null === $order || OrderFacts::is_order( $order ) ) ) {
			$actions[ self::ACTION ] = __( 'Match the till customer again', 'tillsync-bridge' );
		}
		return $actions;
	}

	/**
	 * @param mixed $order The order. WooCommerce has checked the nonce and the right to edit orders; the plugin's capability check is
	 * stricter.
	 */
	public function match_from_list( $order = null ): void {
		if ( is_object( $order ) && OrderFacts::is_order( $order ) && current_user_can( AdminGate::CAPABILITY ) ) {
			$this->outbox->request_match( $order->get_id() );
			$this->drain_timer->now();
		}
	}
}
