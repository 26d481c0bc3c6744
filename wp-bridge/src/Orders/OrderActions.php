<?php
/**
 * What can be done on the order screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Closure;
use Throwable;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\ServiceErrorResponse;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;
use WC_Order;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/** Match again (also in the screen's own action list, which needs no script), and the steps of "Wrong customer?". */
final class OrderActions implements Part {

	private const ACTION = 'tillsync_match_again';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_filter( 'woocommerce_order_actions', Guarded::filter( $this->services, 'woocommerce_order_actions', fn( $actions = array(), $order = null ) => $this->with_action( $actions, $order ) ), 10, 2 );
		add_action( 'woocommerce_order_action_' . self::ACTION, Guarded::action( $this->services, self::ACTION, fn( $order = null ) => $this->match_from_list( $order ) ) );
		add_action( 'rest_api_init', Guarded::action( $this->services, 'rest_api_init', fn() => $this->add_routes() ) );
	}

	private function add_routes(): void {
		$this->add_route( 'GET', 'link', fn( WC_Order $order ) => array( 'guest' => $order->get_customer_id() < 1, 'link' => $this->decisions()->link_of( $order ) ) );
		$this->add_route( 'POST', 'match', fn( WC_Order $order ) => $this->after( $order, $this->decisions()->match_again( $order ) ) );
		$this->add_route( 'POST', 'look', fn( WC_Order $order ) => $this->after( $order, $this->services->get( Drain::class )->run_one( $order->get_id() ) ) );
		$this->add_route(
			'POST',
			'unlink',
			function ( WC_Order $order ): array {
				$this->decisions()->unlink( $order );
				return array( 'guest' => false, 'link' => null );
			}
		);
		$this->add_route(
			'POST',
			'customer',
			fn( WC_Order $order, WP_REST_Request $request ) => $this->after( $order, $this->decisions()->choose( $order, (string) $request['epos_customer_id'] ) ),
			array( 'epos_customer_id' => array( 'type' => 'string', 'required' => true, 'pattern' => '^[1-9][0-9]{0,18}$' ) )
		);
		register_rest_route(
			AdminGate::NAMESPACE,
			'/till-customers',
			array(
				'methods'             => 'GET',
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => array( 'query' => array( 'type' => 'string', 'required' => true, 'minLength' => 1, 'maxLength' => 254 ) ),
				'callback'            => fn( WP_REST_Request $request ) => $this->answer( fn() => $this->services->get( TillCustomers::class )->search( trim( (string) $request['query'] ) ), 'till-customers' ),
			)
		);
	}

	/** @param array<string, array<string, mixed>> $args Of the route. */
	private function add_route( string $method, string $name, Closure $body, array $args = array() ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/orders/(?P<order_id>\d{1,18})/' . $name,
			array(
				'methods'             => $method,
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => $args,
				'callback'            => function ( WP_REST_Request $request ) use ( $body, $name ) {
					$order = wc_get_order( (int) $request['order_id'] );
					if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
						return new WP_Error( 'tillsync_no_order', __( 'There is no such order.', 'tillsync-bridge' ), array( 'status' => 404 ) );
					}
					return $this->answer( static fn() => $body( $order, $request ), $name );
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
			$this->services->log()->failure( $where, $error );
			return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
		}
	}

	/**
	 * The panel as it is now, and why nothing was sent where that is so.
	 *
	 * @return array{html: string, hint: string, settled: bool}
	 */
	private function after( WC_Order $order, DrainReport $report ): array {
		$fresh = wc_get_order( $order->get_id() );
		$fresh = $fresh instanceof WC_Order ? $fresh : $order;
		$row   = $this->services->outbox()->find( $order->get_id() );
		return array(
			'html'    => $this->services->get( OrderPanel::class )->html( $fresh ),
			'hint'    => '' === $report->stopped_by ? '' : OrderPanel::hindrance( $report->stopped_by ),
			'settled' => null === $row || ! in_array( $row->state, array( OutboxRow::WAITING, OutboxRow::SENT ), true ) || Answer::HELD === $row->entry_state,
		);
	}

	/**
	 * @param mixed $actions As known so far.
	 * @param mixed $order   Since WooCommerce 5.8.
	 * @return mixed
	 */
	private function with_action( $actions, $order ) {
		if ( is_array( $actions ) && current_user_can( AdminGate::CAPABILITY ) && $this->services->connections()->is_connected() && ( null === $order || OrderFacts::is_order( $order ) ) ) {
			$actions[ self::ACTION ] = __( 'Match the till customer again', 'tillsync-bridge' );
		}
		return $actions;
	}

	/** @param mixed $order Nonce and right to edit orders are checked by WooCommerce before; ours is stricter. */
	private function match_from_list( $order ): void {
		if ( is_object( $order ) && OrderFacts::is_order( $order ) && current_user_can( AdminGate::CAPABILITY ) ) {
			$this->services->outbox()->ask_again( $order->get_id() );
			$this->services->get( Drain::class )->kick();
		}
	}

	private function decisions(): OrderDecisions {
		return $this->services->get( OrderDecisions::class );
	}
}
